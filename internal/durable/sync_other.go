//go:build !unix

package durable

// SyncDir does nothing: this system cannot sync directories.
func SyncDir(string) error { return nil }
