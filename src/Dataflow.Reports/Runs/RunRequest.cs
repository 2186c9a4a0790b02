using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Dataflow.Reports;

/// <summary>What a browser asked for: the first line of its request and the name that it knows the server by.</summary>
/// <param name="Method">"GET".</param>
/// <param name="Path">"/events", without what follows a question mark.</param>
/// <param name="Token">Of the query; null where there is none.</param>
/// <param name="Host">Without a port.</param>
internal sealed record RunRequest(string Method, string Path, string? Token, string Host)
{
    private const int MostBytes = 8192;

    /// <summary>Reads one; null where it is none, is too long, or the client has gone.</summary>
    public static async Task<RunRequest?> Read(Socket client, CancellationToken stop)
    {
        byte[] bytes = new byte[MostBytes];
        int count = 0;
        while (count < bytes.Length)
        {
            int came = await client.ReceiveAsync(bytes.AsMemory(count), stop).ConfigureAwait(false);
            if (came == 0)
            {
                return null;
            }

            count += came;
            if (bytes.AsSpan(0, count).IndexOf("\r\n\r\n"u8) >= 0)
            {
                return Parse(Encoding.ASCII.GetString(bytes, 0, count));
            }
        }

        return null;
    }

    /// <summary>Of its text; null where that is no request.</summary>
    public static RunRequest? Parse(string text)
    {
        string[] lines = text.Split("\r\n");
        if (lines[0].Split(' ') is not [var method, ['/', ..] target, ['H', 'T', 'T', 'P', '/', ..]])
        {
            return null;
        }

        const string named = "host:", asked = "token=";
        string host = lines.FirstOrDefault(l => l.StartsWith(named, StringComparison.OrdinalIgnoreCase))?[named.Length..].Trim() ?? "";
        int port = host.LastIndexOf(':');
        string[] parts = target.Split('?', 2);
        string? token = parts.Length < 2 ? null
            : parts[1].Split('&').FirstOrDefault(p => p.StartsWith(asked, StringComparison.Ordinal))?[asked.Length..];
        bool hasPort = port >= 0 && !host.EndsWith(']');
        return new RunRequest(method, parts[0], token, (hasPort ? host[..port] : host).Trim('[', ']'));
    }

    /// <summary>Whether it has the token.</summary>
    public bool Knows(string token) =>
        Token is { } given && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(token));

    /// <summary>
    /// Whether it calls the server by a name of the loopback address: a page of another site whose name was made to lead here does not.
    /// </summary>
    public bool IsForLoopback => Host == "localhost" || (IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));
}
