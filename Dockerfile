# The server alone: production packages, and TypeScript as it is, which Node 24 runs without a build.
# The base is pinned by version. Pin it by digest as well where images are built: docs/operations.md has the command.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/client/package.json packages/client/
# Scripts of packages are not needed: without devDependencies no package has one.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=4000 \
    DATA_DIR=/data
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY packages/client ./packages/client
COPY src ./src
# The only folder the server writes to, and only without DATABASE_URL. The rest of the file system may be read-only.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 4000
# The process runs; whether it can serve is /readyz, which a proxy or an orchestrator asks.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself receives SIGTERM and drains for at most ten seconds. --liftoff-only: see "Memory and time" in docs/sandbox.md.
CMD ["node", "--liftoff-only", "src/main.ts"]
