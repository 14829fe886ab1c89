package otelwrap

import (
	"context"
	"net/http"
)

// WithTemplate gives the requests of a context the template that their path is made from, such as "/v1/things/{id}". Their
// spans are named by it, "GET /v1/things/{id}", and have it as url.template. The template must be one of few: it must not
// hold what differs from request to request. A redirect leads to another path, so the hops after it go without.
func WithTemplate(ctx context.Context, template string) context.Context {
	return context.WithValue(ctx, templateKey{}, template)
}

type templateKey struct{}

// templateOf is the template of a request's path; empty if nobody gave one.
func templateOf(req *http.Request) string {
	if req.Response != nil {
		return ""
	}
	template, _ := req.Context().Value(templateKey{}).(string)
	return template
}
