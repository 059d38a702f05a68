import { startGateway } from '/tmp/lead/sluice/dist/test/support/gateway.js';
const gw = await startGateway({ services:[{name:'app'}], routes:[...Array.from({length:1000},(_, i)=>({name:'r'+i, hosts:['api.example.com'], paths:[{kind:{case:'prefix',value:'/r'+i}}], service:'app'})),{name:'app',hosts:['api.example.com'],paths:[{kind:{case:'prefix',value:'/app'}}],service:'app'}], endpoints:{app:[{port:19001,weight:3},{port:19002,weight:1}]} });
console.log(gw.port);
process.on('SIGTERM',()=>process.exit(0));
