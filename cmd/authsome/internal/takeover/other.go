package takeover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/pythonhome"
)

// stopTime is how long a process of the Python authsome may take to end.
const stopTime = 10 * time.Second

// otherHolder is a Python authsome that has refresh tokens that this home has too. Most
// services give a new refresh token with each refresh and end the whole login if they see
// an old one again, so two holders end each other.
type otherHolder struct {
	Connections []string `json:"connections"`
	PID         int      `json:"pid,omitempty"` // of the process that runs
	Stop        string   `json:"stop,omitempty"`
}

// sharing returns the connections of the Python authsome with a refresh token among the
// items with one of the results, as PROVIDER/NAME.
func sharing(items []item, results ...string) []string {
	var all []string
	for _, i := range items {
		name := i.provider + "/" + i.connection
		if i.python && !i.found.RefreshToken.IsZero() && slices.Contains(results, i.result) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// offerStop asks whether to stop the Python authsome, before its tokens are stored here.
// It reports whether that one was stopped: then its store may have changed.
func (m *Importer) offerStop(ctx context.Context, o Options, items []item) (stopped bool, err error) {
	shared := sharing(items, resultNew)
	if len(shared) == 0 || m.Console.Terminal() == nil {
		return false, nil
	}
	p, running := pythonhome.Running(o.Python)
	if !running {
		return false, nil
	}
	m.Console.Detail("The Python authsome (process %d) also refreshes %s.", p.PID, listed(shared))
	m.Console.Detail("If two programs use one refresh token, most services end both logins.")
	switch err := m.Console.Confirm(ctx, fmt.Sprintf("Stop process %d now?", p.PID), "--yes"); {
	case errors.Is(err, terminal.ErrDeclined):
		return false, nil
	case err != nil:
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		return false, exit.WithAdvice(fmt.Errorf("%w; nothing was imported", err), "end it with kill -9 %d, and import again", p.PID)
	}
	m.Console.Infof("stopped process %d", p.PID)
	return true, nil
}

// holder returns the Python authsome that shares refresh tokens with this home after the
// import, or nil.
func holder(o Options, items []item) *otherHolder {
	h := &otherHolder{Connections: sharing(items, resultNew, resultImported, resultReplaced)}
	if len(h.Connections) == 0 {
		return nil
	}
	if p, running := pythonhome.Running(o.Python); running {
		h.PID, h.Stop = p.PID, fmt.Sprintf("kill %d", p.PID)
	}
	return h
}

// warn says that two holders end each other, and how to stop the other one.
func (m *Importer) warn(h *otherHolder) {
	if h == nil {
		return
	}
	tokens := "refresh token"
	if len(h.Connections) > 1 {
		tokens += "s"
	}
	next := "do not use it with this home any more"
	if h.Stop != "" {
		next = "it is running: stop it with " + h.Stop + ", and " + next
	}
	m.Console.Warnf("the Python authsome has the same %s, of %s: if both programs refresh, most services end both logins; %s", tokens, listed(h.Connections), next)
}

// listed lists the first names and counts the others.
func listed(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
