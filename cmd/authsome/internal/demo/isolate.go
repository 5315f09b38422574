package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// escapeReport is what an agent found that looks for the key and for a way around the
// proxy. A text is the error, and empty if the attempt succeeded.
type escapeReport struct {
	Key    string `json:"key"`    // reading the master key
	Direct string `json:"direct"` // connecting to the service without the proxy
	Status int    `json:"status"` // of a request by a client that does not know the proxy; 0 without an answer
}

// Escape is an agent that looks for the master key in a home, and for a way to the service
// at an address. It writes its report to out.
func Escape(ctx context.Context, out io.Writer, home, address string) error {
	var report escapeReport
	if _, err := regular.Read(filepath.Join(home, "master.key"), 1<<10); err != nil {
		report.Key = err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		c.Close()
	} else {
		report.Direct = err.Error()
		// Only now, because outside of a fence this would ask the network for the name.
		http.DefaultTransport.(*http.Transport).Proxy = nil
		if status, _, err := request(ctx, apiHost, os.Getenv(keyVariable)); err == nil {
			report.Status = status
		}
	}
	return json.NewEncoder(out).Encode(report)
}

// isolateAgent shows an agent that cannot read the key nor go around the proxy, if this
// machine can isolate it.
func (d *demo) isolateAgent(ctx context.Context) error {
	const title = "7. authsome run --isolate -- agent: it looks for the key"
	free, err := d.escape(ctx)
	if err != nil {
		return err
	}
	if free.Key != "" || free.Direct != "" {
		return fmt.Errorf("without --isolate, the agent got %q and %q", free.Key, free.Direct)
	}
	fenced, err := d.escape(ctx, "--isolate")
	if err != nil {
		if _, why, impossible := strings.Cut(err.Error(), "cannot be isolated: "); impossible {
			reason, _, _ := strings.Cut(why, "\n")
			d.printf("\n7. authsome run --isolate needs what this machine does not allow: %s\n   authsome doctor says what to do\n", reason)
			return nil
		}
		return err
	}
	switch {
	case fenced.Key == "":
		return errors.New("the isolated agent read the master key")
	case fenced.Direct == "":
		return errors.New("the isolated agent went around the proxy")
	case fenced.Status != http.StatusOK:
		return fmt.Errorf("a client without proxy settings received status %d", fenced.Status)
	}
	if err := d.service.received(apiHost, "Bearer "+d.key.Reveal()); err != nil {
		return err
	}
	d.title(title)
	d.fact("without --isolate", "it can read the vault's key, and reach the service without the proxy")
	d.fact("reads the vault's key", "no: "+cause(fenced.Key))
	d.fact("goes around the proxy", "no: "+cause(fenced.Direct))
	d.fact("ignores proxy settings", "200 OK: its requests come to the proxy and get the credential")
	return nil
}

// escape runs the agent that looks for a way out.
func (d *demo) escape(ctx context.Context, flags ...string) (escapeReport, error) {
	var report escapeReport
	out, err := d.runWith(ctx, flags, d.binary, "demo", "agent", "--escape", filepath.Join(d.dir, "home"), "--to", net.JoinHostPort("127.0.0.1", d.service.port()))
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return report, fmt.Errorf("read the agent's report: %w", err)
	}
	return report, nil
}

// cause is the end of an error, without what was tried.
func cause(text string) string { return strings.TrimSpace(text[strings.LastIndex(text, ":")+1:]) }
