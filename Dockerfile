# authsome as a sidecar: one static binary that runs as a non-root user, without a shell.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /out/authsome ./cmd/authsome \
 && mkdir -p /out/home /out/tmp /out/trust

FROM scratch
COPY --from=build /out/authsome /authsome
# 65532 is the usual non-root user of images that have no user database.
COPY --from=build --chown=65532:65532 --chmod=0700 /out/home /home/authsome
COPY --from=build --chown=65532:65532 --chmod=0700 /out/tmp /tmp
# For --ca-out: a new volume that is mounted here gets the owner of this directory.
COPY --from=build --chown=65532:65532 --chmod=0755 /out/trust /trust
USER 65532:65532
ENV HOME=/home/authsome AUTHSOME_HOME=/home/authsome/.authsome
VOLUME /home/authsome
EXPOSE 8080 9464
ENTRYPOINT ["/authsome"]
# Addresses other than loopback require a token: AUTHSOME_PROXY_TOKEN or --token-file.
CMD ["proxy", "--listen", "0.0.0.0:8080", "--admin", "0.0.0.0:9464"]
