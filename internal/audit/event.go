package audit

import "time"

// What an [Event] can be about.
const (
	Login       = "login"
	Logout      = "logout"
	Revoke      = "revoke"
	Remove      = "remove"
	Copy        = "copy" // of a connection, to another profile
	Move        = "move"
	Get         = "get" // a secret was shown
	Export      = "export"
	Register    = "register"
	RunStart    = "run_start"
	RunEnd      = "run_end"
	Injection   = "injection" // a credential was put on a request
	Refusal     = "refusal"   // a request was answered by the proxy
	Refresh     = "refresh"
	KeyRotation = "key_rotation"
	Import      = "import"
	Backup      = "backup"
	Restore     = "restore"
)

// Events that the log itself writes.
const (
	End     = "end" // the last line of a process's chain
	dropped = "dropped"
)

// Event is one thing that happened. Fields that are zero are left out of the
// line, and text longer than 1 KiB is cut.
type Event struct {
	Event      string // one of the constants
	Profile    string
	Provider   string
	Connection string
	Outcome    string // "ok", or why not
	Host       string
	Method     string
	Path       string // without a query; what follows a '?' or '#' is not written
	Status     int
	Duration   time.Duration
}

// entry is an event in the queue.
type entry struct {
	Event
	at    time.Time
	count int64
}
