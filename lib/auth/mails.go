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
		"Somebody, probably you, signed up at "+a.cfg.Site.Name+" with this email address.",
		fmt.Sprintf("To activate the account, open this page within %s and enter the password that you chose:",
			hours(activateLife)),
		a.page("/account/activate", secret),
		"If this wasn't you, ignore this email. No account is activated.")
}

func (a *Accounts) secondInvitation(to, secret string) store.Mail {
	return a.mail(store.TokenMail, to, "Activate your account at "+a.cfg.Site.Name,
		"Somebody, probably you, signed up at "+a.cfg.Site.Name+
			" with this email address and requested another link.",
		fmt.Sprintf("To activate the account, open this page within %s and choose a password:", hours(activateLife)),
		a.page("/account/reset", secret),
		"If this wasn't you, ignore this email. No account is activated.")
}

func (a *Accounts) takenMail(to string) store.Mail {
	return a.mail(store.TokenMail, to, "You already have an account at "+a.cfg.Site.Name,
		"Somebody, probably you, tried to sign up at "+a.cfg.Site.Name+" with this email address, which already has an "+
			"account. To log in:",
		a.page("/account/login", ""),
		"If you forgot your password:",
		a.page("/account/recover", ""),
		"If this wasn't you, ignore this email. Nothing was changed.")
}

func (a *Accounts) approvalMail(to, email string) store.Mail {
	return a.mail(store.AccountMail, to, "New account waiting for approval at "+a.cfg.Site.Name,
		email+" signed up and confirmed the email address. To approve the account, open:",
		a.page("/admin/people", ""))
}

func (a *Accounts) activatedMail(to string) store.Mail {
	return a.mail(store.AccountMail, to, "Your account at "+a.cfg.Site.Name+" is active",
		"An administrator has activated your account. To log in:",
		a.page("/account/login", ""))
}

func (a *Accounts) recoverMail(to, secret string) store.Mail {
	return a.mail(store.TokenMail, to, "Reset your password for "+a.cfg.Site.Name,
		"Somebody, probably you, requested a new password for your account at "+a.cfg.Site.Name+".",
		fmt.Sprintf("To choose a new password, open this page within %s:", hours(recoverLife)),
		a.page("/account/reset", secret),
		"If this wasn't you, ignore this email. Your password is not changed.")
}

func (a *Accounts) addressMail(to, secret string) store.Mail {
	return a.mail(store.TokenMail, to, "Confirm your new email address at "+a.cfg.Site.Name,
		"Somebody, probably you, wants to use this email address for an account at "+a.cfg.Site.Name+".",
		fmt.Sprintf("To confirm it, open this page within %s:", hours(addressLife)),
		a.page("/account/address", secret),
		"If this wasn't you, ignore this email.")
}

// news tells a user that something about their account has changed.
func (a *Accounts) news(to, subject, what string) store.Mail {
	return a.mail(store.AccountMail, to, subject+" at "+a.cfg.Site.Name, what,
		"If this wasn't you, somebody else uses your account. Choose a new password now to end all sessions:",
		a.page("/account/recover", ""),
		"Then check your API tokens and two-factor authentication, and contact the administrator.")
}
