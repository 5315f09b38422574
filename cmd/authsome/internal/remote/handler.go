package remote

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"time"

	"github.com/authsome/authsome/intercept"
)

// The limits of a handler.
const (
	maxCalls = 4                // at a time; others wait
	maxTime  = 15 * time.Second // for one call, and its wait
)

// Handler answers the requests below [intercept.SelfPath] of clients that may use the
// proxy. It calls run for each valid call, for a few at a time. The last element of the
// path is the command.
func Handler(run func(context.Context, Call) (Answer, error)) http.Handler {
	calls := make(chan struct{}, maxCalls)
	limited := func(ctx context.Context, c Call) (Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, maxTime)
		defer cancel()
		select {
		case calls <- struct{}{}:
			defer func() { <-calls }()
			return run(ctx, c)
		case <-ctx.Done():
			return Answer{}, errBusy
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dir, name := path.Split(r.URL.Path)
		switch {
		case r.Method != http.MethodGet:
			refuse(w, http.StatusMethodNotAllowed, "use GET")
			return
		case dir != intercept.SelfPath || !Serves(name):
			refuse(w, http.StatusNotFound, "the proxy does not run this command for its clients")
			return
		}
		call, err := parse(name, r.URL.RawQuery)
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		switch answer, err := limited(r.Context(), call); {
		case err == errBusy:
			refuse(w, http.StatusServiceUnavailable, err.Error())
		case err != nil:
			refuse(w, http.StatusInternalServerError, err.Error())
		default:
			send(w, http.StatusOK, document{Program: program, Answer: &answer})
		}
	})
}

var errBusy = errors.New("the proxy runs too many commands for its clients; try again")

func refuse(w http.ResponseWriter, status int, message string) {
	send(w, status, document{Program: program, Error: message})
}

// send sends a document. Browsers must not take it for anything else, nor keep it.
func send(w http.ResponseWriter, status int, d document) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(d) // the client may be gone
}
