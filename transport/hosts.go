package transport

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/steadytrip/steadytrip/classify"
)

// OnHosts returns a middleware that is m for requests to the given hosts and nothing for all others: a signature or a token
// goes where it belongs and nowhere else, an SDK's upload host gets a timeout of its own, and a whole chain can be for one
// backend among several. Hosts are written as for [classify.ByHost], and judged by the request's URL alone.
// The error lists every fault, and so every host that cannot be one.
func OnHosts(m Middleware, hosts ...string) (Middleware, error) {
	var faults []error
	if m == nil {
		faults = append(faults, errors.New("transport: OnHosts: the Middleware is nil"))
	}
	if len(hosts) == 0 {
		faults = append(faults, errors.New("transport: OnHosts: no host: want those that the Middleware is for"))
	}
	known := make(map[string]classify.Classifier, len(hosts))
	for _, host := range hosts {
		known[host] = oneOfThem
	}
	c, err := classify.ByHost(known, nil)
	if err != nil {
		faults = append(faults, fmt.Errorf("transport: OnHosts: %w", err))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return func(next http.RoundTripper) http.RoundTripper {
		there := m(next)
		if there == nil {
			return nil
		}
		return &onHosts{inner{next}, there, c}
	}, nil
}

// oneOfThem is the classifier of a host that stands in a list.
var oneOfThem = classify.ClassifierFunc(func(classify.Outcome) classify.Verdict { return classify.Verdict{Kind: classify.Success} })

type onHosts struct {
	inner
	there http.RoundTripper
	hosts classify.Classifier // has an opinion on those
}

var _ http.RoundTripper = (*onHosts)(nil)

func (o *onHosts) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL != nil && o.hosts.Classify(classify.Outcome{Host: req.URL.Host}).Kind == classify.Success {
		return o.there.RoundTrip(req)
	}
	return o.next.RoundTrip(req)
}
