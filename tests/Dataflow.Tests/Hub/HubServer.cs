using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Dataflow.Tests;

/// <summary>A request as it came.</summary>
internal sealed record HubRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>Without the query; a proxy is sent the whole address.</summary>
    public string Path => (Target.StartsWith('/') ? Target : new Uri(Target).PathAndQuery).Split('?')[0];

    /// <summary>The first byte that is asked for; null without a range.</summary>
    public int? From => Headers.TryGetValue("Range", out var range)
        ? int.Parse(range["bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture) : null;

    public bool HasToken => Headers.ContainsKey("Authorization");
}

/// <summary>How the end of a body is told.</summary>
internal enum Framing
{
    Length,
    Chunked,
    Close,
}

/// <summary>What to answer, well or badly.</summary>
internal sealed record HubReply(int Status, byte[] Body, params (string Name, string Value)[] Headers)
{
    public Framing Framing { get; init; } = Framing.Length;

    /// <summary>Breaks the connection after so many bytes of the body.</summary>
    public int? CutAfter { get; init; }

    /// <summary>Sends the body byte by byte, and does this after each.</summary>
    public Func<int, Task>? AfterByte { get; init; }

    public static HubReply Text(int status, string text, params (string, string)[] headers) =>
        new(status, Encoding.UTF8.GetBytes(text), headers);

    /// <summary>A content, or the rest of it that was asked for.</summary>
    public static HubReply Content(HubRequest request, byte[] content, params (string, string)[] headers) =>
        request.From is not { } from ? new HubReply(200, content, [("Accept-Ranges", "bytes"), .. headers])
        : from >= content.Length ? new HubReply(416, [], [("Content-Range", $"bytes */{content.Length}"), .. headers])
        : new HubReply(206, content[from..], [("Content-Range", $"bytes {from}-{content.Length - 1}/{content.Length}"), .. headers]);
}

/// <summary>A server of a test's own on this machine, that can do all that servers should not.</summary>
internal sealed class HubServer : IDisposable
{
    private const int MostThreads = 32;
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new(); // its token may be asked for to the end
    private readonly Func<HubRequest, HubReply> answer;
    private readonly List<HubRequest> requests = [];

    // The tests are about this machine alone, whatever proxies the one who runs them has.
    // Tests that wait for an answer block threads that give it.
    static HubServer()
    {
        HttpClient.DefaultProxy = new WebProxy();
        ThreadPool.SetMinThreads(MostThreads, MostThreads);
    }

    public HubServer(Func<HubRequest, HubReply> answer)
    {
        this.answer = answer;
        listener.Start();
        _ = Accept();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";

    public IReadOnlyList<HubRequest> Requests
    {
        get
        {
            lock (requests)
            {
                return [.. requests];
            }
        }
    }

    public void Forget()
    {
        lock (requests)
        {
            requests.Clear();
        }
    }

    public void Dispose()
    {
        if (!stop.IsCancellationRequested)
        {
            stop.Cancel();
            listener.Dispose();
        }
    }

    private async Task Accept()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                _ = Task.Run(() => Serve(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task Serve(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                if (await Read(stream) is not { } request)
                {
                    return;
                }

                lock (requests)
                {
                    requests.Add(request);
                }

                await Write(client, stream, answer(request));
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // The client is gone.
            }
        }
    }

    private static async Task<HubRequest?> Read(NetworkStream stream)
    {
        var text = new StringBuilder();
        byte[] one = new byte[1];
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one) == 0)
            {
                return null;
            }

            text.Append((char)one[0]);
        }

        string[] lines = text.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] first = lines[0].Split(' ');
        return new HubRequest(first[0], first[1], lines.Skip(1).Select(l => l.Split(": ", 2)).ToDictionary(
            l => l[0], l => l[1], StringComparer.OrdinalIgnoreCase));
    }

    private static async Task Write(TcpClient client, NetworkStream stream, HubReply reply)
    {
        var head = new StringBuilder($"HTTP/1.1 {reply.Status} x\r\nConnection: close\r\n");
        foreach (var (name, value) in reply.Headers)
        {
            head.Append($"{name}: {value}\r\n");
        }

        head.Append(reply.Framing switch
        {
            Framing.Chunked => "Transfer-Encoding: chunked\r\n",
            Framing.Length => $"Content-Length: {reply.Body.Length}\r\n",
            _ => "",
        }).Append("\r\n");
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head.ToString()));
        byte[] body = reply.CutAfter is { } cut ? reply.Body[..cut] : reply.Body;
        for (int sent = 0, step = reply.AfterByte is null ? body.Length : 1; sent < body.Length; sent += step)
        {
            await WritePiece(stream, body.AsMemory(sent, step), reply.Framing == Framing.Chunked);
            if (reply.AfterByte is { } after)
            {
                await after(sent + step);
            }
        }

        if (reply.CutAfter is null && reply.Framing == Framing.Chunked)
        {
            await stream.WriteAsync("0\r\n\r\n"u8.ToArray());
        }

        client.Client.Shutdown(SocketShutdown.Send);
    }

    private static async Task WritePiece(NetworkStream stream, ReadOnlyMemory<byte> piece, bool chunked)
    {
        if (chunked)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{piece.Length:x}\r\n"));
        }

        await stream.WriteAsync(piece);
        if (chunked)
        {
            await stream.WriteAsync("\r\n"u8.ToArray());
        }
    }
}
