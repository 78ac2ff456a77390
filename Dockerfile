# The helper as a container image: docs/container.md has the line that runs it.
#   docker build --tag virtfs-proxy-helper .
# The bases are arguments, so that they can be pinned by digest (node:20.20.2-bookworm-slim@sha256:...) or be others.

# has npm and a C++ compiler, for the package posix
ARG BUILD_BASE=node:20.20.2-bookworm
# has Node of the same version, and nothing else that is needed
ARG BASE=node:20.20.2-bookworm-slim

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --prefer-offline --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build.js scripts/main-thread.cjs scripts/manual.ts scripts/
COPY src src
RUN npm run build && npm prune --omit=dev

FROM ${BASE}
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# the export, and a directory of the host for the sockets, are mounted at these places
ENTRYPOINT ["node", "/app/dist/main.js", "--nodaemon", "--path", "/export", \
  "--socket", "/run/virtfs-proxy-helper/9p.sock", "--control", "/run/virtfs-proxy-helper/control"]
HEALTHCHECK --interval=30s --timeout=5s \
  CMD ["node", "/app/dist/main.js", "status", "/run/virtfs-proxy-helper/control"]
