package main

import "golang.org/x/sys/unix"

// guardMemory keeps other programs of this user, including a child of this process,
// from reading its memory and environment and from tracing it, and keeps its memory
// out of core dumps. It does not apply to the child itself: execve resets it. An error
// is ignored, because the process is then as well protected as any other.
func guardMemory() { unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
