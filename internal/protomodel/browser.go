package protomodel

// browser is a browser that logs in while it has a socket open and another request
// on its way. Its cookie has the old secret or the new one.
type browser struct {
	cookie secret // what the browser has
	stored secret // what opens the session

	login   flight // the login
	request flight // an older request, with the old cookie
	clears  bool   // its response clears the cookie
	socket  page
}

type secret uint8

const (
	oldSecret secret = iota
	newSecret
	noSecret
)

// flight is a request and its response.
type flight uint8

const (
	unsent flight = iota
	underWay
	answered // and the response is on its way
	arrived
)

// page is the socket of a page.
type page uint8

const (
	pageOpen   page = iota
	pageTold        // closed with 4409: come again
	pageAsks        // comes again, with the cookie that the browser had
	pageAgain       // was closed with 4409 once more
	pageLeaves      // was closed with 4501: the session has ended
	pageStopped
)

func (w *world) browsers() machine[browser] {
	return machine[browser]{next: w.browserSteps, wrong: func(b browser, _ bool) Wrong {
		switch {
		case b.cookie == noSecret:
			return Cleared
		case b.socket == pageLeaves:
			return ToldEnded
		}
		return Nothing
	}}
}

func (w *world) browserSteps(b browser, yield func(step, browser)) {
	n := b
	switch b.login {
	case unsent:
		n.login = underWay
		yield(people(client, "sends its login"), n)
	case underWay:
		n.login, n.stored = answered, newSecret
		yield(does(database, "gives the session a new secret, and says that earlier epochs are over"), n)
	case answered:
		n.login, n.cookie = arrived, newSecret
		yield(does(client, "has the login's response, with the new cookie"), n)
	}
	n = b
	switch b.request {
	case unsent:
		if b.cookie == oldSecret {
			n.request = underWay
			yield(people(client, "sends another request, with the old cookie"), n)
		}
	case underWay:
		n.request = answered
		what := "answers the other request"
		if b.stored != oldSecret {
			what = "answers the other request, whose secret does not fit; it leaves the cookie alone"
			if !w.has(clearUnknown) {
				n.clears = true
				what = "answers the other request, whose secret does not fit, and clears the cookie"
			}
		}
		yield(does(asked, what), n)
	case answered:
		n.request = arrived
		if b.clears {
			n.cookie = noSecret
		}
		yield(does(client, "has the other response"), n)
	}
	n = b
	switch b.socket {
	case pageOpen:
		if b.stored == newSecret {
			n.socket = pageTold
			yield(does(holder, "hears of the login, and closes the page's connection with 4409"), n)
		}
	case pageTold, pageAgain:
		n.socket = pageAsks
		if b.cookie == newSecret {
			n.socket = pageStopped // it is in
		}
		yield(does(client, "opens a connection again, with the cookie that it has"), n)
	case pageAsks:
		n.socket = pageAgain
		what := "recognises the previous secret, and closes with 4409"
		if !w.has(recognisePrevious) {
			n.socket = pageLeaves
			what = "does not know the secret, and closes with 4501"
		}
		yield(does(holder, what), n)
	}
}
