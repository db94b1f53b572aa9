# Retention in chunks of 64: masked products inside, a short loop over chunk states.
def forward(q: Tensor, k: Tensor, v: Tensor, g: Tensor) -> Tensor:
    B, H, T, D = q.size(0), q.size(1), q.size(2), q.size(3)
    C = 64
    shape = [B, H, T // C, C, D]
    q = q.reshape(shape) * (float(D) ** -0.5)
    k = k.reshape(shape)
    v = v.reshape(shape)
    b = g[:, :, :C].cumsum(2).reshape([B, H, 1, C, 1])
    mask = torch.exp(b - b.transpose(-1, -2)).tril()
    y = torch.matmul(torch.matmul(q, k.transpose(-1, -2)) * mask, v)
    last = b[:, :, :, C - 1:, :]
    kv = torch.matmul((k * torch.exp(last - b)).transpose(-1, -2), v)
    fade = torch.exp(last).squeeze(2)
    s = torch.zeros_like(kv[:, :, 0])
    states = annotate(List[Tensor], [])
    for write in torch.unbind(kv, 2):
        states.append(s)
        s = s * fade + write
    y = y + torch.matmul(q * torch.exp(b), torch.stack(states, 2))
    return y.reshape([B, H, T, D])
