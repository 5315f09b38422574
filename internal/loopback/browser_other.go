//go:build !unix

package loopback

import "os/exec"

// detach has nothing to do where a command without streams has no terminal.
func detach(*exec.Cmd) {}
