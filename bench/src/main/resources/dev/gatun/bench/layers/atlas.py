# Atlas with a two-layer residual memory: per chunk the gradients of all tokens at the anchor, sums over windows and momentum as
# one product, and Newton-Schulz batched over tokens and heads.
def forward(q: Tensor, k: Tensor, v: Tensor, retain: Tensor, momentum: Tensor, lr: Tensor, gamma: Tensor, w1: Tensor, w2: Tensor) -> Tensor:
    # q, k, v [B, H, T, d], gates [B, H, T], gamma [B, H, T, window], w1 [H, hidden, d], w2 [H, d, hidden]
    C = CHUNK
    B, H, T, d = q.size(0), q.size(1), q.size(2), q.size(3)
    hid = w1.size(1)
    P = gamma.size(3) - 1
    N = T // C
    W1 = w1.unsqueeze(0).expand([B, -1, -1, -1])
    W2 = w2.unsqueeze(0).expand([B, -1, -1, -1])
    S1 = torch.zeros_like(W1)
    S2 = torch.zeros_like(W2)
    r = torch.cumsum(torch.log(retain).reshape([B, H, N, C, 1]), 3)
    u = torch.cumsum(torch.log(momentum).reshape([B, H, N, C, 1]), 3)
    R = torch.exp((r - r.transpose(-1, -2)).tril()).tril() * lr.reshape([B, H, N, 1, C])
    M = torch.exp((u - u.transpose(-1, -2)).tril()).tril()
    ages = torch.flip(gamma, [3]).reshape([B, H, N, C, P + 1])
    band = torch.constant_pad_nd(ages, [0, C]).reshape([B, H, N, C * (C + P + 1)])[:, :, :, :C * (C + P)].reshape([B, H, N, C, C + P])
    MG = torch.matmul(M, band)
    beta = torch.exp(r)
    nu = torch.exp(u)
    kp = torch.constant_pad_nd(k, [0, 0, P, 0])
    vp = torch.constant_pad_nd(v, [0, 0, P, 0])
    ys = annotate(List[Tensor], [])
    for n in range(N):
        x = kp[:, :, n * C:n * C + C + P]
        z = torch.matmul(x, W1.transpose(-1, -2))
        a = torch.gelu(z)
        e = 2.0 * (x + torch.matmul(a, W2.transpose(-1, -2)) - vp[:, :, n * C:n * C + C + P])
        slope = 0.5 * (1.0 + torch.erf(z * 0.7071067811865476)) + z * torch.exp(-0.5 * z * z) * 0.3989422804014327
        delta = torch.matmul(e, W2) * slope
        g1 = (delta.unsqueeze(-1) * x.unsqueeze(-2)).reshape([B, H, C + P, hid * d])
        g2 = (e.unsqueeze(-1) * a.unsqueeze(-2)).reshape([B, H, C + P, d * hid])
        m = MG[:, :, n]
        s1 = torch.matmul(m, g1) + nu[:, :, n] * S1.reshape([B, H, 1, hid * d])
        s2 = torch.matmul(m, g2) + nu[:, :, n] * S2.reshape([B, H, 1, d * hid])
        t1 = s1.reshape([B, H, C, hid, d]).transpose(-1, -2)
        t2 = s2.reshape([B, H, C, d, hid])
        both = torch.cat([t1, t2], 2).reshape([B * H * 2 * C, d, hid])
        both = both / (torch.sqrt((both * both).sum([1, 2], True)) + 1e-7)
        for step in range(5):
            aa = torch.bmm(both, both.transpose(1, 2))
            both = 3.4445 * both + torch.bmm(torch.baddbmm(aa, aa, aa, beta=-4.7750, alpha=2.0315), both)
        both = both.reshape([B, H, 2 * C, d, hid])
        o1 = both[:, :, :C].transpose(-1, -2).reshape([B, H, C, hid * d])
        o2 = both[:, :, C:].reshape([B, H, C, d * hid])
        rn = R[:, :, n]
        V1 = beta[:, :, n] * W1.reshape([B, H, 1, hid * d]) - torch.matmul(rn, o1)
        V2 = beta[:, :, n] * W2.reshape([B, H, 1, d * hid]) - torch.matmul(rn, o2)
        y = q[:, :, n * C:n * C + C]
        h = torch.gelu(torch.matmul(V1.reshape([B, H, C, hid, d]), y.unsqueeze(-1)))
        ys.append(torch.matmul(V2.reshape([B, H, C, d, hid]), h).squeeze(-1) + y)
        W1 = V1[:, :, C - 1].reshape([B, H, hid, d])
        W2 = V2[:, :, C - 1].reshape([B, H, d, hid])
        S1 = s1[:, :, C - 1].reshape([B, H, hid, d])
        S2 = s2[:, :, C - 1].reshape([B, H, d, hid])
    return torch.cat(ys, 2)
