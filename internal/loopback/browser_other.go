//go:build !unix

package loopback

import "os/exec"

// detach does nothing: without standard streams the command has no terminal.
func detach(*exec.Cmd) {}
