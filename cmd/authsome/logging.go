package main

import (
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"path/filepath"
)

// defaultLogFile stands for the log in the home directory.
const defaultLogFile = "<home>/logs/authsome.log"

// logLimit is the size from which the log is set aside at the start of a process.
const logLimit = 10 << 20

// openLog opens the log. A log that cannot be written is a warning: it must not
// keep anybody from working.
func (a *app) openLog() *slog.Logger {
	level := slog.LevelInfo
	w := a.logWriter()
	if a.verbose {
		level, w = slog.LevelDebug, io.MultiWriter(w, a.stderr)
	}
	l := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	// gomitmproxy logs to the standard logger, which would be the agent's stderr.
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(l.Handler(), slog.LevelDebug).Writer())
	return l
}

func (a *app) logWriter() io.Writer {
	path := a.logFile
	if path == "" {
		return io.Discard
	}
	if path == defaultLogFile {
		h, err := a.home()
		if err != nil {
			return io.Discard // whoever needs the home will say so
		}
		path = h.LogPath()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		a.warnf("no log: %v", err)
		return io.Discard
	}
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			a.warnf("the log is not rotated: %v", err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		a.warnf("no log: %v", err)
		return io.Discard
	}
	a.closers = append(a.closers, func() { f.Close() })
	return f
}
