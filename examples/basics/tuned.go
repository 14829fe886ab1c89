package main

import (
	"context"
	"net/http"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/policy/policyfile"
	"github.com/steadytrip/steadytrip/transport"
)

// tunedClient is a client whose policy is what the file at path says, from one moment to the next, until ctx ends.
func tunedClient(ctx context.Context, path string, report func(error)) (*http.Client, error) {
	set, err := policyfile.Load(path) // every mistake in it, a line each, with its place and what was wanted
	if err != nil {
		return nil, err
	}
	p, err := policy.New(set)
	if err != nil {
		return nil, err
	}
	shared := transport.NewShared(p, transport.Keys{})
	go policyfile.Watch(ctx, path, 5*time.Second, shared.SetPolicy, report)
	return transport.Wrap(&http.Client{}, transport.Config{Shared: shared})
}
