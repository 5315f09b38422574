package audit

// Exported for the tests.
var (
	ErrDropped = errDropped
	ErrClosed  = errClosed
	LogFiles   = logFiles
)
