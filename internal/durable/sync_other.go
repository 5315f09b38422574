//go:build !unix

package durable

// SyncDir does nothing: directories cannot be synced on this system.
func SyncDir(string) error { return nil }
