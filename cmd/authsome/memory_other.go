//go:build !linux

package main

// guardMemory has no counterpart here.
func guardMemory() {}
