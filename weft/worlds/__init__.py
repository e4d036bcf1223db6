"""Generated worlds that ship with the package: pictures whose every fact is known; one folder, one world."""
