package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/authsome/authsome/internal/regular"
)

func (d *demo) startService(context.Context) (err error) {
	if d.service, err = startService(filepath.Join(d.dir, "service-ca.pem")); err != nil {
		return err
	}
	d.title("1. A service starts on loopback")
	d.fact("https://"+apiHost, "requires a bearer token; its certificate is from its own authority")
	return nil
}

func (d *demo) logIn(ctx context.Context) error {
	if _, err := d.authsome(ctx, definition, "register", "-", "--yes", "--quiet"); err != nil {
		return err
	}
	if _, err := d.authsome(ctx, d.key.Reveal()+"\n", "login", "demo", "--key-stdin"); err != nil {
		return err
	}
	files, err := d.searchHome()
	if err != nil {
		return err
	}
	d.title("2. authsome login demo: the key is stored in the vault")
	d.fact("key", mask(d.key)+", made up for this demo")
	d.fact("on disk", fmt.Sprintf("searched %d files; none has the key in plain text", files))
	return nil
}

// searchHome looks for the key in all files of the home, and returns their number.
func (d *demo) searchHome() (files int, err error) {
	err = filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := regular.Read(path, 64<<20)
		if err != nil {
			return err
		}
		files++
		if bytes.Contains(b, []byte(d.key.Reveal())) {
			return fmt.Errorf("%s has the key in plain text", filepath.Base(path))
		}
		return nil
	})
	return files, err
}

func (d *demo) runAgent(ctx context.Context) error {
	out, err := d.run(ctx, d.binary, "demo", "agent")
	if err != nil {
		return err
	}
	if strings.Contains(out, d.key.Reveal()) {
		return errors.New("the agent had the key")
	}
	var saw agentReport
	if err := json.Unmarshal([]byte(out), &saw); err != nil {
		return fmt.Errorf("read the agent's report: %w", err)
	}
	if err := d.service.received(apiHost, "Bearer "+d.key.Reveal()); err != nil {
		return err
	}
	if err := d.service.received(otherHost, "Bearer "+saw.Variable); err != nil {
		return err
	}
	switch {
	case saw.Status != 200:
		return fmt.Errorf("the agent received status %d", saw.Status)
	case saw.OtherIssuer != serviceAuthority:
		return fmt.Errorf("the other host's certificate was issued by %q", saw.OtherIssuer)
	case saw.Issuer == serviceAuthority:
		return errors.New("the connection was not intercepted")
	}
	d.title("3. authsome run -- agent: it calls " + apiHost)
	d.fact("the agent had", keyVariable+"="+saw.Variable)
	d.fact("the agent sent", "Authorization: Bearer "+saw.Variable)
	d.fact("the service received", "Authorization: Bearer "+mask(d.key))
	d.fact("the agent's environment", fmt.Sprintf("%d variables, none with the key", saw.Variables))
	d.printf("\n   It also calls %s, which no provider covers\n", otherHost)
	d.fact("the agent received", "the host's own certificate, issued by “"+saw.OtherIssuer+"”")
	d.fact("the host received", "what the agent sent, unchanged")
	return nil
}

// runCurl shows the same with a program that was not written for authsome, if it is
// installed.
func (d *demo) runCurl(ctx context.Context) error {
	curl, err := exec.LookPath("curl")
	if err != nil {
		return nil
	}
	out, err := d.run(ctx, curl, "-sS", "-w", "%{http_code}", "-o", os.DevNull, "https://"+apiHost+"/curl")
	if err != nil {
		return err
	}
	if out != "200" {
		return fmt.Errorf("curl received status %s", out)
	}
	if err := d.service.received(apiHost, "Bearer "+d.key.Reveal()); err != nil {
		return err
	}
	d.title("4. authsome run -- curl https://" + apiHost + "/curl")
	d.fact("curl, unmodified", "200 OK")
	return nil
}
