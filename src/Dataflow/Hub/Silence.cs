namespace Dataflow;

/// <summary>
/// Ends a request to which nothing comes any more. There is no limit to how long a request takes while bytes come: a file of many GiB over
/// a slow line is nothing wrong.
/// </summary>
internal sealed class Silence : IDisposable
{
    private readonly TimeSpan longest;
    private readonly CancellationTokenSource silent;
    private readonly CancellationTokenSource either;

    /// <summary>Begins to wait.</summary>
    public Silence(HubSettings settings, CancellationToken stop)
    {
        longest = settings.Silence;
        silent = new CancellationTokenSource(longest, settings.Clock);
        either = CancellationTokenSource.CreateLinkedTokenSource(silent.Token, stop);
    }

    /// <summary>Cancelled when the wait is over, or when all is to stop.</summary>
    public CancellationToken Token => either.Token;

    /// <summary>Something came: the wait begins anew.</summary>
    public void Heard() => silent.CancelAfter(longest);

    /// <summary>Waits for a part of a request; what goes wrong on the way may pass.</summary>
    /// <exception cref="PassingFaultException">Nothing came for too long, or the connection failed.</exception>
    public async Task<T> During<T>(Func<CancellationToken, Task<T>> part)
    {
        try
        {
            var result = await part(either.Token).ConfigureAwait(false);
            Heard();
            return result;
        }
        catch (OperationCanceledException) when (silent.IsCancellationRequested)
        {
            throw new PassingFaultException($"nothing came for {longest.TotalSeconds:0.#} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new PassingFaultException(Why(e));
        }
        catch (InvalidDataException)
        {
            throw new PassingFaultException("its compressed text is broken");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        either.Dispose();
        silent.Dispose();
    }

    /// <summary>What is innermost says what happened; what is around it, that something did.</summary>
    private static string Why(Exception e) => e is HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded }
        ? "the connection ended early"
        : e.GetBaseException().Message.TrimEnd('.');
}
