# Titans with a two-layer residual memory in its dual form: a loop over chunks of matrix products.
def forward(q: Tensor, k: Tensor, v: Tensor, retain: Tensor, momentum: Tensor, lr: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    # q, k, v [B, H, T, d], gates [B, H, T], w1 [H, hidden, d], w2 [H, d, hidden]
    C = CHUNK
    B, H, T = q.size(0), q.size(1), q.size(2)
    W1 = w1.unsqueeze(0).expand([B, -1, -1, -1])
    W2 = w2.unsqueeze(0).expand([B, -1, -1, -1])
    S1 = torch.zeros_like(W1)
    S2 = torch.zeros_like(W2)
    r = torch.cumsum(torch.log(retain).reshape([B, H, T // C, C, 1]), 3)
    u = torch.cumsum(torch.log(momentum).reshape([B, H, T // C, C, 1]), 3)
    R = torch.exp((r - r.transpose(-1, -2)).tril()).tril()
    M = torch.exp((u - u.transpose(-1, -2)).tril()).tril() * lr.reshape([B, H, T // C, 1, C])
    G = torch.matmul(R, M)
    beta = torch.exp(r)
    nu = torch.exp(u)
    f = torch.matmul(R, nu)
    qs = torch.split(q, C, 2)
    ks = torch.split(k, C, 2)
    vs = torch.split(v, C, 2)
    ys = annotate(List[Tensor], [])
    for n in range(T // C):
        x = ks[n]
        z = torch.matmul(x, W1.transpose(-1, -2))
        a = torch.gelu(z)
        e = 2.0 * (x + torch.matmul(a, W2.transpose(-1, -2)) - vs[n])
        slope = 0.5 * (1.0 + torch.erf(z * 0.7071067811865476)) + z * torch.exp(-0.5 * z * z) * 0.3989422804014327
        delta = torch.matmul(e, W2) * slope
        g = G[:, :, n]
        b = beta[:, :, n]
        fn = f[:, :, n]
        y = qs[n]
        h = torch.gelu(b * torch.matmul(y, W1.transpose(-1, -2)) + fn * torch.matmul(y, S1.transpose(-1, -2))
            - torch.matmul(g * torch.matmul(y, x.transpose(-1, -2)), delta))
        ys.append(b * torch.matmul(h, W2.transpose(-1, -2)) + fn * torch.matmul(h, S2.transpose(-1, -2))
            - torch.matmul(g * torch.matmul(h, a.transpose(-1, -2)), e) + y)
        gc = g[:, :, C - 1:, :].transpose(-1, -2)
        mc = M[:, :, n, C - 1:, :].transpose(-1, -2)
        bc = b[:, :, C - 1:, :]
        fc = fn[:, :, C - 1:, :]
        nc = nu[:, :, n, C - 1:, :]
        dt = delta.transpose(-1, -2)
        et = e.transpose(-1, -2)
        W1 = bc * W1 + fc * S1 - torch.matmul(dt, gc * x)
        W2 = bc * W2 + fc * S2 - torch.matmul(et, gc * a)
        S1 = nc * S1 - torch.matmul(dt, mc * x)
        S2 = nc * S2 - torch.matmul(et, mc * a)
    return torch.cat(ys, 2)
