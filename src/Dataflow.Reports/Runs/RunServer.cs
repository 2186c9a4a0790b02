using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Reports.Pages;

namespace Dataflow.Reports;

/// <summary>
/// Gives the page of runs to browsers, and sends them what the runs write as they write it. Whatever clients do, it keeps so many messages
/// and one write for each of them.
/// </summary>
public sealed class RunServer : IDisposable
{
    /// <summary>Clients at once; more are refused.</summary>
    public const int MostClients = 256;

    private const int MostMessages = 256;
    private const int TokenBytes = 16;
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly IReadOnlyList<RunTail> runs;
    private readonly Socket listener;
    private readonly byte[] page;
    private readonly Queue<byte[]> messages = [];
    private readonly Lock gate = new();
    private TaskCompletionSource news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (byte[] Bytes, long Upto)? all;
    private long told;
    private int clients;

    /// <summary>Begins to listen.</summary>
    /// <param name="runs">What is shown.</param>
    /// <param name="title">Heads the page.</param>
    /// <param name="address">Where; other than the loopback address, everyone is asked for a token.</param>
    /// <param name="port">0: any that is free.</param>
    /// <exception cref="UserErrorException">It cannot listen there.</exception>
    public RunServer(IReadOnlyList<RunTail> runs, string title, IPAddress address, int port)
    {
        this.runs = runs;
        page = Encoding.UTF8.GetBytes(RunsPage.Live(title));
        listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(address, port));
            listener.Listen();
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new UserErrorException($"{address} port {port} cannot be listened on: {e.Message}; give another port to --serve");
        }

        Token = IPAddress.IsLoopback(address) ? null : Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenBytes));
        var end = (IPEndPoint)listener.LocalEndPoint!;
        Address = $"http://{end}/" + (Token is null ? "" : $"?token={Token}");
    }

    /// <summary>What to open in a browser, the token in it if one is asked for.</summary>
    public string Address { get; }

    /// <summary>What everyone is asked for; null on the loopback address.</summary>
    public string? Token { get; }

    /// <summary>Serves until it is stopped.</summary>
    public async Task Run(CancellationToken stop)
    {
        Look();
        messages.Clear(); // what was there before is sent as a whole
        var following = Follow(stop);
        try
        {
            while (true)
            {
                var client = await listener.AcceptAsync(stop).ConfigureAwait(false);
                _ = Serve(client, stop);
            }
        }
        catch (OperationCanceledException)
        {
            await following.ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => listener.Dispose();

    private async Task Follow(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(s_look);
        try
        {
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false))
            {
                Look();
            }
        }
        catch (OperationCanceledException)
        {
            // That was asked for.
        }
    }

    private void Look()
    {
        lock (gate)
        {
            bool anew = false;
            for (int i = 0; i < runs.Count; i++)
            {
                IReadOnlyList<string>? lines;
                try
                {
                    lines = runs[i].Look();
                }
                catch (UserErrorException)
                {
                    continue; // gone for a moment, or for good: what is shown stays
                }

                anew |= lines is null;
                if (lines is { Count: > 0 } && i is var run)
                {
                    Tell("lines", json => WriteLines(json, run, lines));
                }
            }

            if (anew)
            {
                Tell("runs", WriteRuns, asArray: true);
            }
        }
    }

    private void Tell(string kind, Action<Utf8JsonWriter> write, bool asArray = false)
    {
        messages.Enqueue(Message(kind, write, asArray));
        told++;
        if (messages.Count > MostMessages)
        {
            messages.Dequeue();
        }

        var waiting = news;
        news = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting.SetResult();
    }

    // Clients share it for as long as the messages that follow it are there.
    private (byte[] Bytes, long Upto) AllUpto(long first)
    {
        if (all is not { } known || known.Upto < first)
        {
            all = known = (Message("runs", WriteRuns, asArray: true), told);
        }

        return known;
    }

    private static void WriteLines(Utf8JsonWriter json, int run, IReadOnlyList<string> lines)
    {
        json.WriteNumber("run", run);
        json.WriteStartArray("lines");
        foreach (string line in lines)
        {
            json.WriteRawValue(line, skipInputValidation: true);
        }

        json.WriteEndArray();
    }

    private void WriteRuns(Utf8JsonWriter json)
    {
        foreach (var run in runs)
        {
            RunsPage.WriteTo(json, run.Run);
        }
    }

    private static byte[] Message(string kind, Action<Utf8JsonWriter> write, bool asArray)
    {
        using var text = new MemoryStream();
        text.Write(Encoding.ASCII.GetBytes($"event: {kind}\ndata: "));
        using (var json = new Utf8JsonWriter(text))
        {
            if (asArray)
            {
                json.WriteStartArray();
                write(json);
                json.WriteEndArray();
            }
            else
            {
                json.WriteStartObject();
                write(json);
                json.WriteEndObject();
            }
        }

        text.Write("\n\n"u8);
        return text.ToArray();
    }

    private async Task Serve(Socket client, CancellationToken stop)
    {
        using (client)
        {
            try
            {
                if (Interlocked.Increment(ref clients) > MostClients)
                {
                    await Answer(client, "503 Service Unavailable", "Too many look at these runs at once.", stop).ConfigureAwait(false);
                    return;
                }

                using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
                limit.CancelAfter(s_patience);
                var request = await RunRequest.Read(client, limit.Token).ConfigureAwait(false);
                await Answer(client, request, stop).ConfigureAwait(false);
                await End(client, stop).ConfigureAwait(false);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // It has gone, or takes nothing.
            }
            finally
            {
                Interlocked.Decrement(ref clients);
            }
        }
    }

    // What was not read yet would take the answer with it.
    private static async Task End(Socket client, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(TimeSpan.FromSeconds(1));
        client.Shutdown(SocketShutdown.Send);
        byte[] rest = new byte[1 << 12];
        for (int read = 0; read < 1 << 16;)
        {
            int came = await client.ReceiveAsync(rest, limit.Token).ConfigureAwait(false);
            if (came == 0)
            {
                return;
            }

            read += came;
        }
    }

    private Task Answer(Socket client, RunRequest? request, CancellationToken stop) => request switch
    {
        null => Answer(client, "400 Bad Request", "That is no request of a browser.", stop),
        { Method: not "GET" } => Answer(client, "405 Method Not Allowed", "There is nothing here but to look at.", stop),
        _ when Token is { } token && !request.Knows(token) => Answer(
            client, "401 Unauthorized", "Open the address that dataflow report printed, with its token.", stop),
        _ when Token is null && !request.IsForLoopback => Answer(
            client, "403 Forbidden", "Open it by the address that dataflow report printed.", stop),
        { Path: "/" } => Send(client, Head("200 OK", "text/html; charset=utf-8", page.Length), page, stop),
        { Path: "/events" } => Stream(client, stop),
        _ => Answer(client, "404 Not Found", "There is no such page.", stop),
    };

    /// <summary>All that is known, then each message; all again for a client that has missed some.</summary>
    private async Task Stream(Socket client, CancellationToken stop)
    {
        await Send(client, Head("200 OK", "text/event-stream", null), [], stop).ConfigureAwait(false);
        long next = -1;
        while (true)
        {
            byte[]? message;
            Task waiting;
            lock (gate)
            {
                waiting = news.Task;
                long first = told - messages.Count;
                (message, next) = next < first ? AllUpto(first)
                    : next < told ? (messages.ElementAt((int)(next - first)), next + 1)
                    : (null, next);
            }

            if (message is not null)
            {
                await Send(client, message, [], stop).ConfigureAwait(false);
            }
            else if (await Task.WhenAny(waiting, Task.Delay(s_quiet, stop)).ConfigureAwait(false) != waiting)
            {
                await Send(client, ": still here\n\n"u8.ToArray(), [], stop).ConfigureAwait(false);
            }
        }
    }

    private static Task Answer(Socket client, string status, string sentence, CancellationToken stop)
    {
        byte[] text = Encoding.UTF8.GetBytes(sentence + "\n");
        return Send(client, Head(status, "text/plain; charset=utf-8", text.Length), text, stop);
    }

    private static byte[] Head(string status, string type, int? length) => Encoding.ASCII.GetBytes(
        $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\n{(length is { } bytes ? $"Content-Length: {bytes}\r\n" : "")}"
            + "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n");

    private static async Task Send(Socket client, byte[] head, byte[] body, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(s_patience);
        foreach (var bytes in new[] { head, body })
        {
            for (int sent = 0; sent < bytes.Length;)
            {
                sent += await client.SendAsync(bytes.AsMemory(sent), limit.Token).ConfigureAwait(false);
            }
        }
    }
}
