package child

import "os"

var (
	terminate    = os.Kill
	fromTerminal = []os.Signal{os.Interrupt}
	passedOn     []os.Signal
)

func isFromTerminal(s os.Signal) bool { return s == os.Interrupt }

// inForeground returns true: a console sends its signals to all its processes.
func inForeground() bool { return true }

func exitStatus(s *os.ProcessState) int { return s.ExitCode() }

// ownedByUser returns true: the temporary directory belongs to the user.
func ownedByUser(os.FileInfo) bool { return true }
