// An identity provider for one client. Anybody may log in with any password; who may what stands in `roles`.
import Provider from 'oidc-provider';

const [port, client] = process.argv.slice(2);
const roles = {
  vera: ['nb-viewer'],
  anna: ['nb-analyst', 'of-another-system'],
  emil: ['nb-editor'],
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'naerblik',
    client_secret: 'a secret of the test',
    redirect_uris: [`${client}/log-ind/retur`],
    post_logout_redirect_uris: [`${client}/`],
  }],
  claims: { openid: ['sub'], profile: ['preferred_username', 'roles'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, roles: roles[id] ?? [] }),
  }),
  pkce: { required: () => true },
  cookies: { keys: ['of the test'] },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
