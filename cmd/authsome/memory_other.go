//go:build !linux

package main

// guardMemory does nothing on this system.
func guardMemory() {}
