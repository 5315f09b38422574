package auth_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
	"github.com/authsome/authsome/vault/vaulttest"
)

func TestMain(m *testing.M) {
	if os.Getenv("STORM_DIR") != "" {
		os.Exit(stormProcess())
	}
	os.Exit(m.Run())
}

// tally counts how the requests of a process ended.
type tally struct {
	OK          int
	Refused     int            // by the API, because the token was not valid
	Login       map[string]int // login required, by reason and code
	Unavailable int            // refresh unavailable
	Other       []string       // other errors
}

// stormProcess is the main function of a process of the storm. It opens the profile,
// prints "ready", reads the time to start from standard input, makes its requests and
// prints their tally as JSON. It returns the exit code.
func stormProcess() int {
	set, err := providers.Load(filepath.Join(os.Getenv("STORM_DIR"), "providers"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	key, err := vaulttest.MasterKey(os.Getenv("STORM_DIR"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	v, err := vault.Open(filepath.Join(os.Getenv("STORM_DIR"), "profile"), key)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	a := &auth.Auth{Vault: v, Providers: set, Profile: "default", HTTP: &http.Client{Transport: processName(os.Getenv("STORM_NAME"))}}
	if err := a.Reload(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return 1
	}
	at, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		return 1
	}
	time.Sleep(time.Until(time.Unix(0, at)))
	n, err := strconv.Atoi(os.Getenv("STORM_REQUESTS"))
	if err != nil {
		return 1
	}
	t := tally{Login: make(map[string]int)}
	var mu sync.Mutex // guards t
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 32, MaxIdleConnsPerHost: 32}}
	for range n {
		all.Go(func() {
			status, err := stormRequest(a, client)
			mu.Lock()
			defer mu.Unlock()
			login, isLogin := errors.AsType[*auth.LoginRequiredError](err)
			switch {
			case isLogin:
				t.Login[login.Reason+" "+login.Code]++
			case errors.Is(err, auth.ErrRefreshUnavailable):
				t.Unavailable++
			case err != nil:
				t.Other = append(t.Other, err.Error())
			case status == http.StatusOK:
				t.OK++
			default:
				t.Refused++
			}
		})
	}
	all.Wait()
	a.Close()
	json.NewEncoder(os.Stdout).Encode(t)
	return 0
}

func stormRequest(a *auth.Auth, client *http.Client) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), stormLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", os.Getenv("STORM_API")+"/api/", nil)
	if err != nil {
		return 0, err
	}
	if err := a.Apply(ctx, r, "live", "x"); err != nil {
		return 0, err
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response.StatusCode, nil
}

// processName is a transport that puts the name of the process on each request.
type processName string

func (n processName) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Process", string(n))
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
}
