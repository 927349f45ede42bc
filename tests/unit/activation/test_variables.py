"""What a pointed environment says."""

from pathlib import Path

import pytest

from sagehouse.activation.variables import outer_proxy, variables

URL = "http://127.0.0.1:5100"


def pointed(**outer: str) -> dict[str, str]:
    return variables(URL, home=Path("/house"), region="us-east-1", outer=outer)


def test_hosts_of_aws_are_not_exempt_from_the_proxy_whatever_the_shell_exempted():
    """Companies exempt .amazonaws.com from their own proxy: STS would have been asked at AWS."""
    exempted = "intranet.example, .amazonaws.com,*.amazonaws.com,amazonaws.com.cn:443,sts.amazonaws.com,*,.lan,aws.lan"
    kept = pointed(NO_PROXY=exempted)["NO_PROXY"]
    assert kept == "127.0.0.1,localhost,::1,intranet.example,.lan,aws.lan"


def test_every_endpoint_of_one_service_is_the_house():
    told = pointed(AWS_ENDPOINT_URL_S3="https://minio.example", AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME="x")
    assert {told["AWS_ENDPOINT_URL_S3"], told["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"], told["AWS_ENDPOINT_URL"]} == {URL}


@pytest.mark.parametrize(
    ("outer", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://corp:3128"}, "http://corp:3128"),
        ({"HTTPS_PROXY": "http://corp:1", "https_proxy": "http://corp:2"}, "http://corp:2"),
        ({"HTTPS_PROXY": URL, "SAGEHOUSE_URL": URL}, ""),
        ({"HTTPS_PROXY": URL, "SAGEHOUSE_URL": URL, "SAGEHOUSE_OUTER_PROXY": "http://corp:3128"}, "http://corp:3128"),
        ({"HTTPS_PROXY": "http://corp:3128", "SAGEHOUSE_URL": URL}, "http://corp:3128"),
    ],
)
def test_the_proxy_that_leads_outside_is_remembered_through_any_number_of_pointings(outer, proxy):
    assert outer_proxy(outer) == proxy
    once = pointed(**outer)
    assert outer_proxy(once) == proxy
    assert outer_proxy(variables("http://127.0.0.1:6", home=Path("/b"), region="r", outer=once)) == proxy
