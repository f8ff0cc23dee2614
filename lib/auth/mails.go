package auth

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"toaster.do/lib/store"
)

// The emails that the site writes. Those to an address that nobody has proven yet have nothing in them that a stranger
// could have typed.

// mail makes an email from paragraphs; without mail set up it is none.
func (a *Accounts) mail(class store.MailClass, to, subject string, paragraphs ...string) store.Mail {
	if !a.cfg.Mail.On() {
		return store.Mail{}
	}
	for i := range paragraphs {
		paragraphs[i] = wrapped(paragraphs[i])
	}
	text := strings.Join(append(paragraphs, "-- \n"+a.cfg.Site.Name+"\n"+a.cfg.Site.URL+"/"), "\n\n")
	return store.Mail{Class: class, Recipient: to, Subject: subject, Body: text + "\n"}
}

// wrapped breaks a paragraph into lines of at most 72 characters, where it has spaces. What is indented stays as it is.
func wrapped(paragraph string) string {
	if strings.HasPrefix(paragraph, " ") || strings.Contains(paragraph, "\n") {
		return paragraph
	}
	var b strings.Builder
	length := 0
	for _, word := range strings.Fields(paragraph) {
		n := utf8.RuneCountInString(word)
		switch {
		case length == 0:
		case length+1+n > 72:
			b.WriteByte('\n')
			length = 0
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += n
	}
	return b.String()
}

// page is the address of one of the site's pages, with a link's secret.
func (a *Accounts) page(path, secret string) string {
	if secret != "" {
		path += "?link=" + url.QueryEscape(secret)
	}
	return "    " + a.cfg.Site.URL + path
}

func (a *Accounts) invitation(to, secret string) store.Mail {
	return a.mail(store.TokenMail, to, "Activate your account at "+a.cfg.Site.Name,
		"Somebody, most likely you, wants an account at "+a.cfg.Site.Name+" with this address.",
		fmt.Sprintf("To activate it, open this page within %s and type the password that you chose:", hours(activateLife)),
		a.page("/account/activate", secret),
		"If it wasn't you, do nothing: there will be no account.")
}

func (a *Accounts) secondInvitation(to, secret string) store.Mail {
	return a.mail(store.TokenMail, to, "Activate your account at "+a.cfg.Site.Name,
		"Somebody, most likely you, has signed up at "+a.cfg.Site.Name+
			" with this address, and asked for another link.",
		fmt.Sprintf("To activate the account, open this page within %s and choose a password:", hours(activateLife)),
		a.page("/account/reset", secret),
		"If it wasn't you, do nothing: there will be no account.")
}

func (a *Accounts) takenMail(to string) store.Mail {
	return a.mail(store.TokenMail, to, "You have an account at "+a.cfg.Site.Name,
		"Somebody, most likely you, wanted an account at "+a.cfg.Site.Name+" with this address. It has one already. To log in:",
		a.page("/account/login", ""),
		"If you have forgotten the password:",
		a.page("/account/recover", ""),
		"If it wasn't you, there is nothing to do: nothing was changed.")
}

func (a *Accounts) approvalMail(to, email string) store.Mail {
	return a.mail(store.AccountMail, to, "An account waits for you at "+a.cfg.Site.Name,
		email+" has signed up and proven the address. The account can be used as soon as you activate it:",
		a.page("/admin/people", ""))
}

func (a *Accounts) activatedMail(to string) store.Mail {
	return a.mail(store.AccountMail, to, "Your account at "+a.cfg.Site.Name+" is active",
		"An administrator has activated your account. To log in:",
		a.page("/account/login", ""))
}

func (a *Accounts) recoverMail(to, secret string) store.Mail {
	return a.mail(store.TokenMail, to, "A new password for "+a.cfg.Site.Name,
		"Somebody, most likely you, has forgotten the password of this address's account at "+a.cfg.Site.Name+".",
		fmt.Sprintf("To choose a new one, open this page within %s:", hours(recoverLife)),
		a.page("/account/reset", secret),
		"If it wasn't you, do nothing: the password stays as it is.")
}

func (a *Accounts) addressMail(to, secret string) store.Mail {
	return a.mail(store.TokenMail, to, "Your new address at "+a.cfg.Site.Name,
		"Somebody, most likely you, wants to use this address for their account at "+a.cfg.Site.Name+".",
		fmt.Sprintf("If so, open this page within %s:", hours(addressLife)),
		a.page("/account/address", secret),
		"If it wasn't you, do nothing.")
}

// news tells a user that something about their account has changed.
func (a *Accounts) news(to, subject, what string) store.Mail {
	return a.mail(store.AccountMail, to, subject+" at "+a.cfg.Site.Name, what,
		"If it wasn't you, somebody else uses your account. Choose a new password at once, which logs everybody out:",
		a.page("/account/recover", ""),
		"Then look through your API tokens and your second factor, and tell the administrator.")
}
