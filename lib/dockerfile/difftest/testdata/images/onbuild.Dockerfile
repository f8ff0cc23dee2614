# Like onbuild images of languages.
FROM debian:bookworm
WORKDIR /usr/src/app
ONBUILD COPY package.json /usr/src/app/
ONBUILD RUN echo installed >node_modules
SHELL ["/bin/sh", "-exc"]
CMD ["npm", "start"]
