package opener

import (
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/authsome/authsome/internal/regular"
)

// DefaultLogFile means the log in the home directory.
const DefaultLogFile = "<home>/logs/authsome.log"

// logLimit is the size at which the log is rotated, in bytes.
const logLimit = 10 << 20

// stderrLog is the name of a log that goes to stderr.
const stderrLog = "-"

// LogOptions say where the log goes.
type LogOptions struct {
	File    string // [DefaultLogFile], another file, "-" for Stderr, or empty for none
	Verbose bool   // Stderr gets the log too, with debug messages
	Stderr  io.Writer
}

// Log is the log of this process.
func (n *Opener) Log() *slog.Logger { return n.log() }

// openLog opens the log. If it cannot be written, that is a warning: it must not keep
// a command from working.
func (n *Opener) openLog() *slog.Logger {
	level := slog.LevelInfo
	w := n.logWriter()
	if n.o.Log.Verbose {
		level = slog.LevelDebug
		if n.o.Log.File != stderrLog {
			w = io.MultiWriter(w, n.o.Log.Stderr)
		}
	}
	l := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	// gomitmproxy logs to the standard logger, which would write on the agent's
	// stderr.
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(l.Handler(), slog.LevelDebug).Writer())
	return l
}

func (n *Opener) logWriter() io.Writer {
	path, open := n.o.Log.File, regular.AppendNamed
	switch path {
	case "":
		return io.Discard
	case stderrLog:
		return n.o.Log.Stderr
	}
	if path == DefaultLogFile {
		h, err := n.Home()
		if err != nil {
			return io.Discard // a command that needs the home reports it
		}
		path, open = h.LogPath(), regular.Append
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			n.o.Warnf("cannot write the log: %v", err)
			return io.Discard
		}
	}
	f, err := openLogFile(path, logLimit, open)
	if err != nil {
		n.o.Warnf("cannot write the log: %v", err)
		return io.Discard
	}
	n.onClose(func() { f.Close() })
	return f
}
