package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
)

// completionTimeout is how long the Tab key may take.
const completionTimeout = time.Second

// names completes the first argument with the contacts there are.
func (a *app) names(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.nameThen()(cmd, args, start)
}

// nameThen completes the first argument with a contact, others with words.
func (a *app) nameThen(words ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.contactWords(cmd.Context(), start), cobra.ShellCompDirectiveNoFileComp
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		for _, w := range words {
			if strings.HasSuffix(w, "=") {
				directive |= cobra.ShellCompDirectiveNoSpace
			}
		}
		return words, directive
	}
}

// allNames completes every argument with a contact.
func (a *app) allNames(cmd *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.contactWords(cmd.Context(), start), cobra.ShellCompDirectiveNoFileComp
}

// contactWords returns what names each contact that start may mean: its title,
// or, where that names several or was not what start begins with, its ODID.
func (a *app) contactWords(ctx context.Context, start string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	r, err := a.client.Contacts().ListContacts(ctx, &contactsv1.ListContactsRequest{Filter: quoted(start), PageSize: pageSize})
	if err != nil {
		return nil
	}
	same := make(map[string]int)
	for _, c := range r.Contacts {
		same[strings.ToLower(title(c))]++
	}
	words := make([]cobra.Completion, 0, len(r.Contacts))
	for _, c := range r.Contacts {
		name := title(c)
		about := fmt.Sprintf("%s, %s", short(c.Odid), c.Trust)
		if same[strings.ToLower(name)] > 1 || name != safe(name) || start != "" && strings.HasPrefix(c.Odid, start) {
			name, about = c.Odid, fmt.Sprintf("%s, %s", safe(name), c.Trust)
		}
		words = append(words, cobra.CompletionWithDesc(name, about))
	}
	return words
}

// waiting completes the ids of messages in the outbox.
func (a *app) waiting(cmd *cobra.Command, args []string, _ string) (words []cobra.Completion, _ cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	r, err := a.client.Messages().ListOutbox(ctx, &contactsv1.ListOutboxRequest{PageSize: pageSize})
	if err != nil {
		return nil, none
	}
	for _, m := range r.Messages {
		if slices.Contains(args, m.Id) {
			continue
		}
		text := []rune(safe(m.Text))
		words = append(words, cobra.CompletionWithDesc(m.Id, string(text[:min(len(text), 40)])))
	}
	return words, none
}
