package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/isolate"
)

// checkIsolation checks whether run --isolate works on this machine, by starting a fence.
func (d *Doctor) checkIsolation(ctx context.Context) []finding {
	mode := home.IsolateOff
	if h, err := d.Opener.Home(); err == nil && h.Config.Run.Isolate != "" {
		mode = h.Config.Run.Isolate
	}
	err := tryFence(ctx, d.Console.Getenv)
	unsupported, isUnsupported := errors.AsType[*isolate.UnsupportedError](err)
	switch {
	case err == nil:
		detail := "authsome run --isolate works here"
		if mode != home.IsolateOff {
			detail += fmt.Sprintf(", and config.json makes it the default (%s)", mode)
		}
		if lacks := isolate.Lacking(); lacks != "" {
			detail += "; " + lacks
		}
		return ok("isolation", "%s", detail)
	case !isUnsupported:
		return failed("isolation", fmt.Errorf("try to isolate a command: %w", err))
	case mode == home.IsolateRequired:
		return problem("isolation", "config.json asks for isolated commands, so authsome run starts none: "+unsupported.Error(), remedies(unsupported))
	case runtime.GOOS != "linux":
		return nil // nothing can be done about it
	}
	return warning("isolation", "authsome run --isolate does not work here: "+unsupported.Error(), remedies(unsupported))
}

func remedies(e *isolate.UnsupportedError) suggest.Suggestion {
	return suggest.Advice("%s", strings.ReplaceAll(explain.Isolation(e), "\n", "\n"+strings.Repeat(" ", remedyIndent)))
}

// remedyIndent is the column at which a remedy begins.
const remedyIndent = 26

// tryFence starts a fence, with an empty directory as the home, and ends it.
func tryFence(ctx context.Context, getenv func(string) string) error {
	dir, err := os.MkdirTemp("", "authsome-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := isolate.Start(ctx, isolate.Options{Home: dir, Getenv: getenv})
	if err != nil {
		return err
	}
	f.Close()
	return nil
}

// checkKeyFiles names credentials of connected services that an agent could read in files.
func (d *Doctor) checkKeyFiles(ctx context.Context) []finding {
	files, err := d.KeyFiles(ctx)
	switch {
	case err != nil:
		return nil // the checks of connections and routes have the error
	case files == "":
		return ok("files", "no file of another tool has a credential of a connected service")
	}
	return []finding{{
		Check: "files", Status: statusWarning, Detail: "an agent can read credentials of connected services in " + files,
		public: "an agent can read credentials of connected services in files of other tools",
		next:   suggest.Command("run --isolate --hide-known -- COMMAND"),
	}}
}
