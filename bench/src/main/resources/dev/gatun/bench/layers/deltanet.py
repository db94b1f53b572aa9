# The gated delta rule in chunks of 64, with one triangular solve for all chunks and a short loop over their states.
def forward(q: Tensor, k: Tensor, v: Tensor, beta: Tensor, g: Tensor) -> Tensor:
    B, H, T, D = q.size(0), q.size(1), q.size(2), q.size(3)
    C = 64
    shape = [B, H, T // C, C, D]
    q = q.reshape(shape) * (float(D) ** -0.5)
    k = k.reshape(shape)
    v = v.reshape(shape)
    beta = beta.reshape([B, H, T // C, C, 1])
    b = torch.cumsum(g.reshape([B, H, T // C, C, 1]), 3)
    decay = torch.exp((b - b.transpose(-1, -2)).tril()).tril()
    kb = k * beta
    l = (torch.matmul(kb, k.transpose(-1, -2)) * decay).tril(-1)
    eye = torch.eye(C, dtype=q.dtype)
    uw = torch.linalg_solve_triangular(l + eye, torch.cat([v * beta, kb * torch.exp(b)], -1), upper=False, left=True, unitriangular=True)
    a = torch.matmul(q, k.transpose(-1, -2)) * decay
    last = b[:, :, :, C - 1:, :]
    us = torch.unbind(uw[:, :, :, :, :D], 2)
    ws = torch.unbind(uw[:, :, :, :, D:], 2)
    ks = torch.unbind((k * torch.exp(last - b)).transpose(-1, -2), 2)
    fades = torch.unbind(torch.exp(last), 2)
    s = torch.zeros([B, H, D, D], dtype=q.dtype)
    states = annotate(List[Tensor], [])
    news = annotate(List[Tensor], [])
    for n in range(T // C):
        states.append(s)
        new = us[n] - torch.matmul(ws[n], s)
        news.append(new)
        s = s * fades[n] + torch.matmul(ks[n], new)
    y = torch.matmul(q * torch.exp(b), torch.stack(states, 2)) + torch.matmul(a, torch.stack(news, 2))
    return y.reshape([B, H, T, D])
