package takeover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
)

// rows is the table of the items, with the reasons in their results or without them.
func rows(items []item, reasons bool) [][]string {
	all := [][]string{{"PROFILE", "PROVIDER", "WHAT", "FROM", "RESULT"}}
	for _, i := range items {
		what, result := i.kind, i.result
		if i.connection != "" {
			what += " " + i.connection
		}
		if i.storedAs != "" {
			result += " as " + i.storedAs
		}
		if i.reason != "" && reasons {
			result += ": " + i.reason
		}
		all = append(all, []string{cmp.Or(i.profile, "-"), i.provider, what, cmp.Or(i.from, "-"), result})
	}
	return all
}

// reasons are the reasons of the items, for a table without them.
func reasons(items []item) []string {
	var all []string
	for _, i := range items {
		if i.reason == "" {
			continue
		}
		what := i.kind + " " + i.provider
		if i.connection != "" {
			what += "/" + i.connection
		}
		if i.profile != "" {
			what += " of profile " + i.profile
		}
		all = append(all, what+": "+i.result+": "+i.reason)
	}
	return all
}

// oldName is the name that an item of a Python authsome had there, if that differs.
func (i *item) oldName() string {
	if i.kind == "connection" && !i.python {
		return "" // from variables
	}
	return i.from
}

// report prints the result of each item, what was done with the .env file, and which
// other program has the same tokens.
func (m *Importer) report(items []item, file *dotenvFile, other *otherHolder) error {
	if m.Console.JSON {
		type view struct {
			Kind       string `json:"kind"`
			Profile    string `json:"profile,omitempty"`
			Provider   string `json:"provider"`
			Connection string `json:"connection,omitempty"`
			Result     string `json:"result"`
			Reason     string `json:"reason,omitempty"`
			From       string `json:"from,omitempty"`
			StoredAs   string `json:"stored_as,omitempty"`
		}
		views := []view{}
		for _, i := range items {
			views = append(views, view{i.kind, i.profile, i.provider, i.connection, i.result, i.reason, i.oldName(), i.storedAs})
		}
		return m.Console.PrintJSON(struct {
			Items  []view       `json:"items"`
			Dotenv *dotenvView  `json:"dotenv,omitempty"`
			Other  *otherHolder `json:"other_holder,omitempty"`
		}{views, file.view(), other})
	}
	if len(items) == 0 {
		m.Console.Infof("found nothing to import")
	} else {
		m.Console.TableWithNotes(rows(items, true), rows(items, false), reasons(items))
	}
	file.report(m.Console)
	m.warn(other)
	return nil
}

// incomplete is the error for items that were not imported, or nil.
func (m *Importer) incomplete(items []item) error {
	refused, conflicts := 0, 0
	var as []string
	for _, i := range items {
		switch i.result {
		case resultConflict:
			conflicts++
		case resultRefused:
			if refused++; i.as != "" && !slices.Contains(as, i.as) {
				as = append(as, i.as)
			}
		}
	}
	if refused+conflicts == 0 {
		return nil
	}
	if m.Console.JSON {
		return exit.CodeError(exit.Error) // the document says it
	}
	err := fmt.Errorf("%d of %s not imported", refused+conflicts, show.Plural(len(items), "item"))
	switch {
	case len(as) > 0:
		return exit.WithFlag(err, strings.Join(as, " "))
	case conflicts > 0:
		return exit.WithFlag(err, "--force")
	}
	return err
}
