//go:build !linux

package vault

// holder cannot tell who holds a lock here.
func holder(string) string { return "" }
