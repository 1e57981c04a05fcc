"""Define the units of sizes."""

MEGABYTE = 1 << 20  # of files, requests and processes
GIGABYTE = 1_000_000_000  # of memory and disks, as they are sold
