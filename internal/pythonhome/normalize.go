package pythonhome

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// timeMembers are the members that contain a time.
var timeMembers = []string{"expires_at", "refresh_expires_at", "refresh_started", "obtained_at"}

// oldNames maps the names that old versions gave to members to the current ones.
var oldNames = map[string]string{"connection_type": "auth_type", "api_url": "base_url", "name": "connection_name"}

// normalize converts a record to the current form: it removes members that are null,
// writes times as RFC 3339 in UTC, and replaces old member names. Everything else
// stays the same. Errors do not contain values.
func normalize(r Record, data []byte) ([]byte, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, errors.New("not a JSON object")
	}
	for name, value := range members {
		if value.Kind() == 'n' {
			delete(members, name)
		}
	}
	if r.Kind == Connection {
		for old, current := range oldNames {
			if _, exists := members[current]; !exists && members[old] != nil {
				members[current] = members[old]
				delete(members, old)
			}
		}
		for _, name := range timeMembers {
			value, exists := members[name]
			if !exists {
				continue
			}
			at, err := parseTime(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if members[name], err = json.Marshal(at.UTC().Format(time.RFC3339Nano)); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return json.Marshal(members, json.Deterministic(true))
}

// layouts are the formats in which Python writes times: with or without an offset
// and a fraction, with a T or a space. A time without an offset is in UTC.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999-0700", "2006-01-02T15:04",
}

func parseTime(value jsontext.Value) (time.Time, error) {
	if value.Kind() == '0' { // seconds since 1970
		seconds, err := strconv.ParseFloat(string(value), 64)
		if err != nil || math.Abs(seconds) > 1e11 {
			return time.Time{}, errors.New("not a time")
		}
		whole, fraction := math.Modf(seconds)
		return time.Unix(int64(whole), int64(fraction*1e9)), nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return time.Time{}, errors.New("not a time")
	}
	text = strings.Replace(strings.TrimSpace(text), " ", "T", 1)
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("not a time")
}
