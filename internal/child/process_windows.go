package child

import "os"

var (
	terminate    = os.Kill
	fromTerminal = []os.Signal{os.Interrupt}
	passedOn     []os.Signal
)

func isFromTerminal(s os.Signal) bool { return s == os.Interrupt }

// terminalReaches: a console gives its signals to every process attached to it.
func terminalReaches() bool { return true }

func exitStatus(s *os.ProcessState) int { return s.ExitCode() }

// ownedByUser: the temporary directory is the user's own.
func ownedByUser(os.FileInfo) bool { return true }
