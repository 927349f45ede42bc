// GetCallerIdentity at AWS's own address, through HTTPS_PROXY, trusting NODE_EXTRA_CA_CERTS.
const http = require("http");
const https = require("https");

const host = "sts.us-east-1.amazonaws.com";
const proxy = new URL(process.env.HTTPS_PROXY);
const tunnel = http.request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: `${host}:443` });
tunnel.on("connect", (_answer, socket) => {
  const path = "/?Action=GetCallerIdentity&Version=2011-06-15";
  https.get({ host, path, socket, servername: host, agent: false }, (answer) => {
    let body = "";
    answer.on("data", (part) => (body += part));
    answer.on("end", () => console.log(answer.statusCode, /<Arn>(.*)<\/Arn>/.exec(body)[1]));
  });
});
tunnel.end();
