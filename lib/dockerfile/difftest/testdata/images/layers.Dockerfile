# What one layer does to those below it.
FROM debian:bookworm
RUN mkdir -p /d/sub /opaque/below /was-dir/x /kept && echo one >/d/one && echo two >/d/sub/two && echo below >/opaque/below/f && \
	echo f >/was-file && ln -s /d /was-link && ln -s was-link /link-to-link && echo same >/h1 && ln /h1 /h2
RUN rm /d/one && rm -rf /opaque && mkdir /opaque && echo above >/opaque/f
RUN rm -rf /was-dir /was-file /was-link && echo now >/was-dir && mkdir /was-file && mkdir /was-link && echo x >/was-link/x
RUN chmod 4755 /bin/busybox && chown 33:1001 /d/sub/two && chmod 2751 /d && mkfifo /pipe && mkdir -m 700 /locked && echo deep >/locked/f
RUN ln /h1 /h3 && echo more >>/h2 && ln -s ../../../etc/passwd /d/outside && ln -s /nowhere /dangling
RUN touch -d @1000000000 /kept && touch "/name with spaces" "/täst" && mkdir "/dir with spaces" && echo y >"/dir with spaces/y"
RUN rm -rf /d/sub && mkdir /d/sub && echo new >/d/sub/new
