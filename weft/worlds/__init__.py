"""Generated worlds that ship with the package: pictures of which every fact is known. Each folder is one world."""
