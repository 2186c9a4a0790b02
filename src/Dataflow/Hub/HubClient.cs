using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace Dataflow;

/// <summary>
/// Makes requests and follows redirects, by hand: the headers on the way matter, and the token is for the endpoint alone. Proxies are those
/// of the environment, as for every program.
/// </summary>
internal sealed partial class HubClient : IDisposable
{
    private const int MostRedirects = 20;
    private readonly HubSettings settings;
    private readonly Uri endpoint;
    private readonly HttpClient http;

    /// <summary>Of an endpoint.</summary>
    public HubClient(HubSettings settings)
    {
        this.settings = settings;
        endpoint = new Uri(settings.Endpoint);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("dataflow", Version()));
        http.DefaultRequestHeaders.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
    }

    /// <summary>Asks for a path of the endpoint.</summary>
    /// <param name="path">With its query; begins with a slash.</param>
    /// <param name="from">The first byte that is wanted.</param>
    /// <param name="silence">Ends it.</param>
    /// <exception cref="PassingFaultException">The connection failed.</exception>
    /// <exception cref="FailedException">Redirects lead nowhere.</exception>
    public async Task<HubAnswer> Get(string path, long from, Silence silence)
    {
        var uri = new Uri(settings.Endpoint + path);
        var known = new HubMetadata(null, null, null);
        for (int redirects = 0; redirects <= MostRedirects; redirects++)
        {
            bool own = IsOfEndpoint(uri);
            using var request = new HttpRequestMessage(HttpMethod.Get, uri);
            request.Headers.Authorization = own && settings.Token is { } token ? new AuthenticationHeaderValue("Bearer", token) : null;
            request.Headers.Range = from > 0 ? new RangeHeaderValue(from, null) : null;
            var at = uri;
            var response = await silence.During(stop => Send(request, at, stop)).ConfigureAwait(false);
            known = own ? Read(response, known) : known;
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
                or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            {
                return new HubAnswer(response, uri, own, known);
            }

            uri = Next(uri, response);
        }

        throw new FailedException($"{endpoint.Host} redirects more than {MostRedirects} times and gives no answer to {path.Split('?')[0]}");
    }

    /// <summary>The path of the next page, if an answer of the endpoint names one; a mirror may pass on the hub's own address.</summary>
    /// <exception cref="FailedException">It leads to another host.</exception>
    public string? NextPage(HubAnswer answer)
    {
        string? link = answer.Response.Headers.TryGetValues("Link", out var values)
            ? values.Select(v => NextLink().Match(v)).FirstOrDefault(m => m.Success)?.Groups[1].Value
            : null;
        if (link is null)
        {
            return null;
        }

        string next = Uri.TryCreate(answer.Uri, Mirrored(link), out var uri) ? uri.AbsoluteUri : "";
        return next.StartsWith(settings.Endpoint + "/", StringComparison.Ordinal)
            ? next[settings.Endpoint.Length..]
            : throw new FailedException($"{answer.Shown} names a next page that is not on {endpoint.Host}; it is not followed");
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    [GeneratedRegex("""<([^<>]*)>\s*;[^,<>]*\brel="?next"?""", RegexOptions.IgnoreCase)]
    private static partial Regex NextLink();

    private static string Version() => typeof(HubClient).Assembly.GetName().Version?.ToString(3) ?? "0";

    private async Task<HttpResponseMessage> Send(HttpRequestMessage request, Uri uri, CancellationToken stop)
    {
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw new PassingFaultException($"{uri.Authority} cannot be reached ({e.GetBaseException().Message.TrimEnd('.')})");
        }
    }

    private static HubMetadata Read(HttpResponseMessage response, HubMetadata before)
    {
        string? Text(string name) => response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;
        string? hash = Text("X-Linked-Etag");
        hash = hash?.StartsWith("W/", StringComparison.Ordinal) == true ? hash[2..] : hash;
        return new HubMetadata(
            Text("X-Repo-Commit") ?? before.Commit,
            hash?.Trim('"') ?? before.LinkedHash,
            long.TryParse(Text("X-Linked-Size"), out long size) ? size : before.LinkedSize);
    }

    private Uri Next(Uri from, HttpResponseMessage response)
    {
        string? location = response.Headers.TryGetValues("Location", out var values) ? values.FirstOrDefault() : null;
        response.Dispose();
        if (location is null || !Uri.TryCreate(from, Mirrored(location), out var next)
            || (next.Scheme != Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttp))
        {
            throw new FailedException($"{from.GetLeftPart(UriPartial.Path)} redirects to nowhere");
        }

        return from.Scheme == Uri.UriSchemeHttps && next.Scheme == Uri.UriSchemeHttp
            ? throw new FailedException($"{from.GetLeftPart(UriPartial.Path)} redirects from https to http, where anybody could change it")
            : next;
    }

    private bool IsOfEndpoint(Uri uri) => uri.Scheme == endpoint.Scheme && uri.Host == endpoint.Host && uri.Port == endpoint.Port;

    private string Mirrored(string url) => url.StartsWith(HubSettings.DefaultEndpoint + "/", StringComparison.Ordinal)
        ? settings.Endpoint + url[HubSettings.DefaultEndpoint.Length..]
        : url;
}
