package main

import (
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// catalogue formats the names of the providers that are not connected, by category, in
// lines of width columns.
func catalogue(all []providerView, width int) string {
	byCategory := make(map[string][]string)
	for _, p := range all {
		if len(p.Connections) > 0 {
			continue
		}
		category := p.Category
		if !slices.Contains(providers.Categories[:], category) {
			category = "other"
		}
		byCategory[category] = append(byCategory[category], p.Name)
	}
	const indent = 14
	var b strings.Builder
	for _, category := range providers.Categories {
		names := byCategory[category]
		if len(names) == 0 {
			continue
		}
		line := category + strings.Repeat(" ", indent-len(category))
		for i, name := range names {
			if i < len(names)-1 {
				name += ","
			}
			if len(line) > indent && len(line)+len(name) > width {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = strings.Repeat(" ", indent)
			}
			line += name + " "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
