"""What a decoder's numbers mean to a person; one file of this folder, one kind of output."""
