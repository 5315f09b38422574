package audit

import "time"

// The kinds of an [Event].
const (
	Login       = "login"
	Logout      = "logout"
	Revoke      = "revoke"
	Remove      = "remove"
	Copy        = "copy" // a connection was copied to another profile
	Move        = "move"
	Accept      = "accept" // the user let a connection use a changed definition
	Prefer      = "prefer" // the user chose who serves hosts that several providers cover
	Get         = "get"    // a secret was shown
	Check       = "check"  // a credential was sent to its service to find out whether it works
	Export      = "export"
	Register    = "register"
	RunStart    = "run_start"
	RunEnd      = "run_end"
	Injection   = "injection"   // a credential was added to a request
	Refusal     = "refusal"     // the proxy refused a request
	EchoMasked  = "echo_masked" // a secret in a response was masked
	Refresh     = "refresh"
	KeyRotation = "key_rotation"
	Import      = "import"
	Backup      = "backup"
	Restore     = "restore"
)

// Events that the log itself writes.
const (
	End       = "end"       // the last line of a process's chain
	Retention = "retention" // old archives were deleted
	Dropped   = "dropped"   // events that could not be written
)

// Events are the kinds of events that a log of this version can have.
var Events = []string{
	Login, Logout, Revoke, Remove, Copy, Move, Accept, Prefer, Get, Export, Register, RunStart, RunEnd, Injection, Refusal, EchoMasked, Refresh,
	KeyRotation, Import, Backup, Restore, Check, End, Retention, Dropped,
}

// Event is one entry of the log. Zero fields are omitted from its line, and text
// longer than 1 KiB is truncated.
type Event struct {
	Event      string // one of the constants
	Profile    string
	Provider   string
	Connection string
	Outcome    string // "ok", or the reason of the failure
	Host       string
	Method     string
	Path       string // is written only up to the first '?' or '#'
	Status     int
	Duration   time.Duration
	Count      int64  // of refusals that are not recorded one by one
	Command    string // of a run: the base name of its command, without arguments
	Agent      string // of a run: the name of the agent
	PID        int    // of a run: the process of its command; of a proxy, its own
}

// entry is an event in the queue.
type entry struct {
	Event
	at       time.Time
	archived string // these are in the package comment, and empty in most lines
	deleted  string
}
