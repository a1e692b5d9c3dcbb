//! Every write, fsync, rename, lock and map of a file.
